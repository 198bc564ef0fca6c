"""From points that a person clicked to the outline of the object there."""

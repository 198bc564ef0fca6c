"""Lines and areas of another data set, laid over the images of a campaign by their place on Earth."""

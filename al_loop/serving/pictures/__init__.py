"""What a person looks at: tiles and thumbnails in the views of a campaign, with overlays, and where a sample lies."""

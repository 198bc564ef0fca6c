"""What a training run sees of the labels."""

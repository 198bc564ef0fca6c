"""What a model answered on the test reserve, sample by sample."""

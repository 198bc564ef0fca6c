"""What a training measures of candidate and incumbent beside the metrics: parts of the reserve, time of a run."""

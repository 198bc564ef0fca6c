"""From labels to a promoted model: when to retrain, snapshot, training run, gate; pretraining of encoders."""

"""The nouns and their rules: campaign, sample, label, query, round, prediction, reserve. No I/O."""

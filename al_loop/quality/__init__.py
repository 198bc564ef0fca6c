"""How good labels, suggestions and the strategy are: agreement, label errors, re-annotation, savings."""

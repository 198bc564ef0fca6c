"""When the next round starts by itself: what each trigger looks at, and the decision."""

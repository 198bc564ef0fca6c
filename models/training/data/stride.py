"""What the sides of a network's input are multiples of."""

STRIDE_PX = 32
"""Height and width of the input must be multiples of this: the deepest stage of every encoder we take."""

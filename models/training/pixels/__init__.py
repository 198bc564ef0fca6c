"""The quick candidate's answer for each pixel: a linear head on the stages of the frozen encoder."""

"""The quick candidate's answer for objects: a small network on the stages of the frozen encoder."""

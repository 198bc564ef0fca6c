"""Exports of labelling tools, CVAT and Label Studio: tags of images, outlines, masks and boxes, in pixels."""

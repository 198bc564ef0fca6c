"""STAC 1.1 as al-loop writes it: catalogues of labelled images, and items of models and of predictions. Pure JSON."""

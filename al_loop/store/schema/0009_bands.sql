-- Which band of a campaign's files is alpha, and whether grey images are read as RGB: decided once, with the reason.

ALTER TABLE campaigns ADD COLUMN band_decision JSON;   -- NULL: nothing is registered, or it was before this was recorded

-- Why a sample has no place on Earth though its file has a CRS and a transform; NULL: it has one, or lacks them.

ALTER TABLE samples ADD COLUMN place_problem VARCHAR;

-- Earlier versions took metres tagged as degrees for places beyond the poles.
UPDATE samples SET bounds = NULL, place_problem = 'its coordinates are no degrees of longitude and latitude, which its CRS says they are; perhaps they are metres: give it its true CRS'
WHERE bounds[2] < -90 OR bounds[2] > 90 OR bounds[4] < -90 OR bounds[4] > 90;

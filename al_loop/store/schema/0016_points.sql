-- Queries about points of images: what a query asks about, the points of each lease, and labels that know points alone.

ALTER TABLE queries ADD COLUMN unit VARCHAR DEFAULT 'image';        -- 'image', 'point'
ALTER TABLE leases ADD COLUMN unit VARCHAR DEFAULT 'image';         -- as its query's
ALTER TABLE leases ADD COLUMN points DOUBLE[][];                    -- column and row of each, centres of pixels; NULL: the image
ALTER TABLE label_events ADD COLUMN points INTEGER;                 -- Points in `features`; NULL: none, the label is of the whole image
ALTER TABLE label_events ADD COLUMN added_to BIGINT;                -- the label that its points were joined to; NULL: it replaced

UPDATE label_events SET points = len(list_filter(
    json_extract_string(features, '$.features[*].geometry.type'), lambda kind: kind = 'Point'))
WHERE features LIKE '%"Point"%';
UPDATE label_events SET points = NULL WHERE points = 0;

CREATE OR REPLACE VIEW current_labels AS
SELECT * FROM label_events
QUALIFY row_number() OVER (PARTITION BY campaign_id, sample_id, task, annotator ORDER BY label_id DESC) = 1
    AND retracts IS NULL;

CREATE OR REPLACE VIEW counting_labels AS
SELECT * FROM current_labels WHERE label_id NOT IN (SELECT label_id FROM doubted_labels)
QUALIFY row_number() OVER (PARTITION BY campaign_id, sample_id, task ORDER BY source = 'import', label_id DESC) = 1;

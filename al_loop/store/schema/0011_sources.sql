-- Where a label comes from: 'person', 'import' (a labelled folder) or 'overwrite' (a folder that overrules what people
-- said before). Of several current answers a person's counts before an import's: `counting_labels`.

ALTER TABLE label_events ADD COLUMN source VARCHAR DEFAULT 'person';
UPDATE label_events SET source = 'import' WHERE annotator = 'import';   -- the name that importers have always given

CREATE OR REPLACE VIEW current_labels AS
SELECT * FROM label_events
QUALIFY row_number() OVER (PARTITION BY campaign_id, sample_id, task, annotator ORDER BY label_id DESC) = 1
    AND retracts IS NULL;

-- The one answer of each (sample, task) that is trained on, exported and counted; as `al_loop.domain.labels.counting`.
CREATE VIEW counting_labels AS
SELECT * FROM current_labels
QUALIFY row_number() OVER (PARTITION BY campaign_id, sample_id, task ORDER BY source = 'import', label_id DESC) = 1;

-- Labels in doubt count nowhere; rounds say what they went on without.

ALTER TABLE rounds ADD COLUMN left_out VARCHAR;       -- labelled images that a round went on without, in one sentence; NULL: none

-- The one answer of each (sample, task) that is trained on and counted; as `al_loop.domain.labels.counting`.
CREATE OR REPLACE VIEW counting_labels AS
SELECT * FROM current_labels WHERE label_id NOT IN (SELECT label_id FROM doubted_labels)
QUALIFY row_number() OVER (PARTITION BY campaign_id, sample_id, task ORDER BY source = 'import', label_id DESC) = 1;

-- The promotion gate: what it decided, candidates that wait for the last word, versions that were taken back, and answers in the shadow.
CREATE TABLE gate_reports (         -- one row a round that came to the gate
    campaign_id BIGINT NOT NULL,
    number      INTEGER NOT NULL,
    report      JSON NOT NULL
);

CREATE TABLE challengers (          -- appended to; at most one of a campaign is in state 'waiting'
    campaign_id    BIGINT NOT NULL,
    version        VARCHAR NOT NULL,
    round_number   INTEGER NOT NULL,
    mode           VARCHAR NOT NULL,    -- 'ask' or 'shadow'
    since          TIMESTAMP NOT NULL,
    state          VARCHAR NOT NULL,    -- 'waiting', 'promoted', 'rejected'
    reason         VARCHAR NOT NULL,
    label_event_id BIGINT NOT NULL,     -- newest label event of its training
    decided_at     TIMESTAMP
);

CREATE TABLE withdrawn_versions (   -- not promoted by the service; a person may, which removes the row
    campaign_id  BIGINT NOT NULL,
    version      VARCHAR NOT NULL,
    kind         VARCHAR NOT NULL,      -- 'rejected' or 'rolled back'
    reason       VARCHAR NOT NULL,
    digest       VARCHAR,               -- sha256 of its model.onnx: the same artefact may come again under another name
    withdrawn_at TIMESTAMP NOT NULL
);

CREATE TABLE shadow_answers (       -- what champion and challenger said of the same pixels; the newest of each pair counts
    campaign_id       BIGINT NOT NULL,
    pixel_hash        VARCHAR NOT NULL,
    task              VARCHAR NOT NULL,
    champion          VARCHAR NOT NULL,
    challenger        VARCHAR NOT NULL,
    champion_answer   JSON NOT NULL,
    challenger_answer JSON NOT NULL,
    champion_mask     BLOB,
    challenger_mask   BLOB,
    blind             BOOLEAN NOT NULL,
    answered_at       TIMESTAMP NOT NULL
);

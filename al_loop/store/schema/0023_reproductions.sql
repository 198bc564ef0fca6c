-- Rounds trained again from their manifest, to see whether the same model comes out.
CREATE TABLE reproductions (
    campaign_id  BIGINT NOT NULL,
    number       INTEGER NOT NULL,      -- from 1 in each campaign
    round_number INTEGER NOT NULL,
    tolerance    DOUBLE NOT NULL,       -- of metrics, where bits cannot be compared
    state        VARCHAR NOT NULL,
    requested_at TIMESTAMP NOT NULL,
    started_at   TIMESTAMP,
    ended_at     TIMESTAMP,
    result       JSON,                  -- NULL until it is finished
    error        VARCHAR
);

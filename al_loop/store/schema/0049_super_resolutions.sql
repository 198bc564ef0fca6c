-- Trainings of super-resolution that the service runs: what was asked, and what came of it.
CREATE TABLE super_resolutions (
    campaign_id  BIGINT NOT NULL,
    number       INTEGER NOT NULL,      -- from 1 in each campaign
    request      JSON NOT NULL,
    state        VARCHAR NOT NULL,
    requested_at TIMESTAMP NOT NULL,
    started_at   TIMESTAMP,
    ended_at     TIMESTAMP,
    result       JSON,                  -- NULL until it is finished
    error        VARCHAR
);

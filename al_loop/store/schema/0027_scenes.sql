-- Windows of large scenes as samples, and whole scenes predicted.
ALTER TABLE samples ADD COLUMN area VARCHAR;          -- of a window: the part of its scene that stays on one side of the reserve; NULL: a whole file
ALTER TABLE samples ADD COLUMN area_bounds DOUBLE[];  -- of the area, EPSG:4326: left, bottom, right, top; NULL: no place, or a whole file

CREATE TABLE scene_predictions (
    campaign_id  BIGINT NOT NULL,
    number       INTEGER NOT NULL,      -- from 1 in each campaign
    asked        JSON NOT NULL,         -- scene, task, format
    version      VARCHAR NOT NULL,      -- of the model
    state        VARCHAR NOT NULL,
    requested_at TIMESTAMP NOT NULL,
    started_at   TIMESTAMP,
    ended_at     TIMESTAMP,
    result       JSON,                  -- NULL until it is finished
    error        VARCHAR
);

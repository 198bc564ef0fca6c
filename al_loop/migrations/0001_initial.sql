-- The record of everything: append-only labels, short-lived leases, rounds and versions.
-- Times are UTC. No foreign keys: DuckDB refuses updates of referenced rows; the verbs of al_loop/store keep the references.

CREATE SEQUENCE campaign_ids START 1;
CREATE SEQUENCE sample_ids START 1;
CREATE SEQUENCE label_ids START 1;
CREATE SEQUENCE query_ids START 1;
CREATE SEQUENCE lease_ids START 1;
CREATE SEQUENCE prediction_ids START 1;

CREATE TABLE campaigns (
    campaign_id     BIGINT DEFAULT nextval('campaign_ids') NOT NULL,
    name            VARCHAR NOT NULL,
    tasks           JSON NOT NULL,
    root            VARCHAR NOT NULL,
    bands           INTEGER[],
    source_bands    INTEGER,
    settings        JSON NOT NULL,
    policy          JSON NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL,
    current_version VARCHAR,
    reserve_drawn   BOOLEAN NOT NULL DEFAULT false,
    reserve_block_m DOUBLE
);

CREATE TABLE samples (
    sample_id     BIGINT DEFAULT nextval('sample_ids') NOT NULL,
    campaign_id   BIGINT NOT NULL,
    path          VARCHAR NOT NULL,
    width         INTEGER NOT NULL,
    height        INTEGER NOT NULL,
    band_count    INTEGER NOT NULL,
    dtype         VARCHAR NOT NULL,
    crs           VARCHAR,
    transform     DOUBLE[],
    nodata        DOUBLE,
    bounds        DOUBLE[],
    file_bytes    BIGINT NOT NULL,
    modified_ns   BIGINT NOT NULL,
    block         VARCHAR NOT NULL,
    reserve       BOOLEAN NOT NULL DEFAULT false,
    registered_at TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX samples_by_path ON samples (campaign_id, path);
CREATE INDEX samples_by_id ON samples (sample_id);

-- Pixel hashes are filled by pool scoring, which reads the pixels anyway; they recognise an uploaded image.
CREATE TABLE pixel_hashes (
    campaign_id BIGINT NOT NULL,
    sample_id   BIGINT NOT NULL,
    pixel_hash  VARCHAR NOT NULL,
    modified_ns BIGINT NOT NULL
);
CREATE INDEX pixel_hashes_by_hash ON pixel_hashes (pixel_hash);

CREATE TABLE label_events (
    label_id    BIGINT DEFAULT nextval('label_ids') NOT NULL,
    campaign_id BIGINT NOT NULL,
    sample_id   BIGINT NOT NULL,
    task        VARCHAR NOT NULL,
    annotator   VARCHAR NOT NULL,
    classes     VARCHAR[],
    features    VARCHAR,          -- GeoJSON text, for geometry tasks
    crs         VARCHAR,          -- of features: 'EPSG:4326' or 'pixel'
    retracts    BIGINT,           -- label_id that this event withdraws
    query_id    BIGINT,           -- the query whose lease it answers, if any
    labelled_at TIMESTAMPTZ NOT NULL,
    recorded_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX label_events_by_sample ON label_events (sample_id);

-- The newest event of each (sample, task, annotator), retractions left out.
CREATE VIEW current_labels AS
SELECT * EXCLUDE (newest) FROM (
    SELECT *, row_number() OVER (PARTITION BY campaign_id, sample_id, task, annotator ORDER BY label_id DESC) AS newest
    FROM label_events
) WHERE newest = 1 AND retracts IS NULL;

CREATE TABLE queries (
    query_id    BIGINT DEFAULT nextval('query_ids') NOT NULL,
    campaign_id BIGINT NOT NULL,
    annotator   VARCHAR NOT NULL,
    strategy    JSON NOT NULL,
    query_size  INTEGER NOT NULL,
    version     VARCHAR,          -- model version whose scores ranked it
    opened_at   TIMESTAMPTZ NOT NULL
);

CREATE TABLE leases (
    lease_id    BIGINT DEFAULT nextval('lease_ids') NOT NULL,
    campaign_id BIGINT NOT NULL,
    query_id    BIGINT NOT NULL,
    sample_id   BIGINT NOT NULL,
    annotator   VARCHAR NOT NULL,
    score       DOUBLE,
    reason      VARCHAR NOT NULL,
    leased_at   TIMESTAMPTZ NOT NULL,
    expires_at  TIMESTAMPTZ NOT NULL,
    ended_at    TIMESTAMPTZ,      -- answered or released
    end_reason  VARCHAR           -- 'labelled', 'released'
);

CREATE TABLE rounds (
    campaign_id     BIGINT NOT NULL,
    number          INTEGER NOT NULL,
    state           VARCHAR NOT NULL,
    reason          VARCHAR NOT NULL,
    requested_at    TIMESTAMPTZ NOT NULL,
    started_at      TIMESTAMPTZ,
    ended_at        TIMESTAMPTZ,
    version         VARCHAR,
    labels          INTEGER,
    reserve_labels  INTEGER,
    label_event_id  BIGINT,
    manifest_sha256 VARCHAR,
    evaluation      JSON,
    verdict         VARCHAR,
    error           VARCHAR
);

-- Every change of state, stored before it is acted on.
CREATE TABLE round_events (
    campaign_id BIGINT NOT NULL,
    number      INTEGER NOT NULL,
    state       VARCHAR NOT NULL,
    at          TIMESTAMPTZ NOT NULL,
    detail      VARCHAR
);

CREATE TABLE model_versions (
    campaign_id  BIGINT NOT NULL,
    version      VARCHAR NOT NULL,
    round_number INTEGER NOT NULL,
    created_at   TIMESTAMPTZ NOT NULL,
    problem      VARCHAR
);

CREATE TABLE promotions (
    campaign_id BIGINT NOT NULL,
    version     VARCHAR NOT NULL,
    previous    VARCHAR,
    reason      VARCHAR NOT NULL,
    promoted_at TIMESTAMPTZ NOT NULL
);

-- One row a (sample, model version, task); version 'features' holds no uncertainties, only embeddings on disk.
CREATE TABLE scores (
    campaign_id      BIGINT NOT NULL,
    sample_id        BIGINT NOT NULL,
    version          VARCHAR NOT NULL,
    task             VARCHAR NOT NULL,
    least_confidence FLOAT NOT NULL,
    margin           FLOAT NOT NULL,
    entropy          FLOAT NOT NULL,
    scored_at        TIMESTAMPTZ NOT NULL
);

CREATE TABLE predictions (
    prediction_id BIGINT DEFAULT nextval('prediction_ids') NOT NULL,
    campaign_id   BIGINT NOT NULL,
    sample_id     BIGINT,
    pixel_hash    VARCHAR NOT NULL,
    task          VARCHAR NOT NULL,
    version       VARCHAR NOT NULL,
    answer        JSON NOT NULL,
    shown_at      TIMESTAMPTZ NOT NULL
);

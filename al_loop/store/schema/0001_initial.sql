-- The record of everything: append-only labels, short-lived leases, rounds and versions.
-- Times are UTC (TIMESTAMP: reading TIMESTAMPTZ from Python needs pytz). No foreign keys: DuckDB refuses updates of referenced rows;
-- the one writer in al_loop/store keeps references and uniqueness. No indexes but one: scans of sorted ids are as fast at 100,000 rows.

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
    created_at      TIMESTAMP NOT NULL,
    current_version VARCHAR,
    reserve_drawn_at TIMESTAMP,
    reserve_block_m DOUBLE            -- side of a spatial block in metres; NULL without places
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
    registered_at TIMESTAMP NOT NULL
);

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
    labelled_at TIMESTAMP NOT NULL,
    recorded_at TIMESTAMP NOT NULL
);

-- The newest event of each (sample, task, annotator), retractions left out.
CREATE VIEW current_labels AS
SELECT * FROM label_events
QUALIFY row_number() OVER (PARTITION BY campaign_id, sample_id, task, annotator ORDER BY label_id DESC) = 1
    AND retracts IS NULL;

CREATE TABLE queries (
    query_id    BIGINT DEFAULT nextval('query_ids') NOT NULL,
    campaign_id BIGINT NOT NULL,
    annotator   VARCHAR NOT NULL,
    strategy    JSON NOT NULL,
    query_size  INTEGER NOT NULL,
    version     VARCHAR,          -- model version whose scores ranked it
    opened_at   TIMESTAMP NOT NULL
);

CREATE TABLE leases (
    lease_id    BIGINT DEFAULT nextval('lease_ids') NOT NULL,
    campaign_id BIGINT NOT NULL,
    query_id    BIGINT NOT NULL,
    sample_id   BIGINT NOT NULL,
    annotator   VARCHAR NOT NULL,
    score       DOUBLE,
    reason      VARCHAR NOT NULL,
    leased_at   TIMESTAMP NOT NULL,
    expires_at  TIMESTAMP NOT NULL,
    ended_at    TIMESTAMP,      -- answered or released
    end_reason  VARCHAR           -- 'labelled', 'released'
);

CREATE TABLE rounds (
    campaign_id     BIGINT NOT NULL,
    number          INTEGER NOT NULL,
    state           VARCHAR NOT NULL,
    reason          VARCHAR NOT NULL,
    requested_at    TIMESTAMP NOT NULL,
    started_at      TIMESTAMP,
    ended_at        TIMESTAMP,
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
    entered_at  TIMESTAMP NOT NULL,
    detail      VARCHAR
);

CREATE TABLE model_versions (
    campaign_id  BIGINT NOT NULL,
    version      VARCHAR NOT NULL,
    round_number INTEGER NOT NULL,
    created_at   TIMESTAMP NOT NULL,
    problem      VARCHAR
);

CREATE TABLE promotions (
    campaign_id BIGINT NOT NULL,
    version     VARCHAR NOT NULL,
    previous    VARCHAR,
    reason      VARCHAR NOT NULL,
    promoted_at TIMESTAMP NOT NULL
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
    scored_at        TIMESTAMP NOT NULL
);

CREATE TABLE predictions (
    prediction_id BIGINT DEFAULT nextval('prediction_ids') NOT NULL,
    campaign_id   BIGINT NOT NULL,
    sample_id     BIGINT,
    pixel_hash    VARCHAR NOT NULL,
    task          VARCHAR NOT NULL,
    version       VARCHAR NOT NULL,
    answer        JSON NOT NULL,
    shown_at      TIMESTAMP NOT NULL
);

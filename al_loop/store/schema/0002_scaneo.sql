-- Links to SCANEO, what was read there, batches and boxes put there; suggestions in full and what became of them.

CREATE TABLE scaneo_links (
    campaign_id     BIGINT NOT NULL,
    url             VARCHAR NOT NULL,
    scaneo_campaign VARCHAR NOT NULL,   -- id there
    scaneo_name     VARCHAR NOT NULL,
    options         JSON NOT NULL,
    models          JSON NOT NULL,      -- id of our model there, by task
    prefix          VARCHAR NOT NULL,   -- of its image paths below our root: '' or 'folder/'
    hidden          JSON NOT NULL,      -- our classes whose label was deleted there: they are not suggested
    zone_offset_s   INTEGER NOT NULL,   -- SCANEO's naive local times minus UTC
    linked_at       TIMESTAMP NOT NULL,
    signal          VARCHAR,            -- change signal of its campaign when all that it announced had been read
    swept_at        TIMESTAMP           -- when every image had been read since
);

-- Every image of a linked campaign and of its batches, and what was last made of its annotations.
CREATE TABLE scaneo_images (
    campaign_id     BIGINT NOT NULL,
    scaneo_campaign VARCHAR NOT NULL,
    image_id        BIGINT NOT NULL,
    path            VARCHAR NOT NULL,
    sample_id       BIGINT,             -- NULL: not registered, its file cannot be used
    digest          VARCHAR,            -- of the annotations that the labels were made from
    read_at         TIMESTAMP,
    annotator       VARCHAR,            -- whom its labels were recorded under
    recorded        JSON,               -- label_id by task, of labels that still stand
    problem         VARCHAR             -- what a person has to put right there
);

CREATE TABLE scaneo_batches (
    campaign_id     BIGINT NOT NULL,
    number          INTEGER NOT NULL,
    scaneo_campaign VARCHAR NOT NULL,
    name            VARCHAR NOT NULL,
    folder          VARCHAR NOT NULL,
    annotator       VARCHAR NOT NULL,
    opened_at       TIMESTAMP NOT NULL,
    closed_at       TIMESTAMP,
    close_reason    VARCHAR
);

-- Boxes offered through SCANEO's annotations, so that none is offered twice and none is taken for a person's.
CREATE TABLE scaneo_boxes (
    campaign_id   BIGINT NOT NULL,
    image_id      BIGINT NOT NULL,
    annotation_id VARCHAR NOT NULL,
    label         VARCHAR NOT NULL,
    corners       DOUBLE[] NOT NULL,    -- south, west, north, east, EPSG:4326
    score         DOUBLE NOT NULL,
    version       VARCHAR NOT NULL,
    pushed_at     TIMESTAMP NOT NULL
);

ALTER TABLE predictions ADD COLUMN mask BLOB;                       -- segmentation: deflated uint8 codes, row by row
ALTER TABLE predictions ADD COLUMN blind BOOLEAN DEFAULT false;     -- computed and kept, but not shown

-- What became of a suggestion when a person answered: one row a (label, suggestion before it).
CREATE TABLE assists (
    campaign_id   BIGINT NOT NULL,
    prediction_id BIGINT NOT NULL,
    label_id      BIGINT NOT NULL,
    sample_id     BIGINT NOT NULL,
    task          VARCHAR NOT NULL,
    version       VARCHAR NOT NULL,
    annotator     VARCHAR NOT NULL,
    blind         BOOLEAN NOT NULL,
    outcome       VARCHAR NOT NULL,     -- 'accepted', 'edited', 'rejected'
    agreement     DOUBLE NOT NULL,      -- IoU of suggested and kept, 0 to 1
    labelled_at   TIMESTAMP NOT NULL
);

-- "Cannot tell": who looked at a sample and left it to others.
CREATE TABLE skips (
    campaign_id BIGINT NOT NULL,
    sample_id   BIGINT NOT NULL,
    annotator   VARCHAR NOT NULL,
    reason      VARCHAR NOT NULL,       -- in the annotator's words, may be empty
    skipped_at  TIMESTAMP NOT NULL
);

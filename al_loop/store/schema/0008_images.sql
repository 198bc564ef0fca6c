-- Images change under a campaign: what their files were like, why they cannot be used now, which are one image.

ALTER TABLE samples ADD COLUMN file_problem VARCHAR;  -- why the file cannot be used now; NULL: it can
ALTER TABLE samples ADD COLUMN problem_ns BIGINT;     -- modification time of a file whose pixels cannot be read; NULL: its header cannot, or no problem
ALTER TABLE samples ADD COLUMN digest VARCHAR;        -- of the size and parts of the file, `models.rasters.opening.digests`; NULL: registered before there were digests
ALTER TABLE samples ADD COLUMN same_as BIGINT;        -- sample_id of the first sample with equal bytes or pixels; NULL: it is the first, or the only one

-- What an image was like before it was replaced by another; labels until then were made on it.
CREATE TABLE replaced_images (
    campaign_id BIGINT NOT NULL,
    sample_id   BIGINT NOT NULL,
    replaced_at TIMESTAMP NOT NULL,  -- when it was noticed
    digest      VARCHAR,
    width       INTEGER NOT NULL,
    height      INTEGER NOT NULL,
    crs         VARCHAR,
    transform   DOUBLE[]
);

-- Labels that may not hold for the image as it is now: left out of training until the sample is answered again.
CREATE TABLE doubted_labels (
    campaign_id BIGINT NOT NULL,
    sample_id   BIGINT NOT NULL,
    label_id    BIGINT NOT NULL,
    digest      VARCHAR,             -- of the image that the label was made on: once it is back, there is no doubt
    reason      VARCHAR NOT NULL
);

-- Pixels without their place: equal ones under two names are one image. Filled where pixels are read anyway.
CREATE TABLE image_contents (
    campaign_id  BIGINT NOT NULL,
    sample_id    BIGINT NOT NULL,
    content_hash VARCHAR NOT NULL,
    modified_ns  BIGINT NOT NULL     -- of the file that it was taken from
);

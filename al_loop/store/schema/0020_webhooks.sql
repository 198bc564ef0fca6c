-- Webhooks: who is told of what, the secrets that sign it, and the outbox: what happened and whom it has still to reach.

CREATE SEQUENCE webhook_ids START 1;
CREATE TABLE webhooks (
    webhook_id BIGINT DEFAULT nextval('webhook_ids') NOT NULL,
    url        VARCHAR NOT NULL,
    kinds      VARCHAR[] NOT NULL,      -- of events
    campaigns  BIGINT[],                -- ids; NULL: all
    created_at TIMESTAMP NOT NULL
);

-- Several may sign side by side while a receiver changes from one to the next.
CREATE TABLE webhook_secrets (
    webhook_id BIGINT NOT NULL,
    secret     VARCHAR NOT NULL,        -- 'whsec_' and base64
    created_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP                -- NULL: the newest one
);

CREATE TABLE webhook_events (
    event_id    VARCHAR NOT NULL,       -- 'msg_...', sent as webhook-id
    kind        VARCHAR NOT NULL,
    campaign    VARCHAR,                -- by name, as campaigns may be deleted; NULL: none
    occurred_at TIMESTAMP NOT NULL,
    body        VARCHAR NOT NULL        -- JSON as it is sent: what is signed must not change by a byte
);

CREATE SEQUENCE webhook_delivery_ids START 1;
CREATE TABLE webhook_deliveries (
    delivery_id BIGINT DEFAULT nextval('webhook_delivery_ids') NOT NULL,
    webhook_id  BIGINT NOT NULL,
    event_id    VARCHAR NOT NULL,
    state       VARCHAR NOT NULL,       -- 'waiting', 'delivered', 'dead'
    queued_at   TIMESTAMP NOT NULL,     -- since when it is tried
    next_at     TIMESTAMP,              -- NULL: not tried any more
    attempts    INTEGER NOT NULL,
    ended_at    TIMESTAMP,
    status      INTEGER,                -- HTTP status of the newest answer
    problem     VARCHAR                 -- why the newest attempt failed
);

-- What holds now and was told when it began: a pool without samples, a link that is down. Told again after it was over.
CREATE TABLE event_conditions (
    campaign_id BIGINT NOT NULL,
    kind        VARCHAR NOT NULL,
    since       TIMESTAMP NOT NULL
);

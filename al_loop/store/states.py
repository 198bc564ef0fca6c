"""What "labelled", "leased" and a sample's state mean, as SQL. Parameters: `$campaign_id`, and `$now` for leases."""

from al_loop.lease_records import SKIPS_TO_GIVE_UP

LABELLED = "SELECT sample_id FROM current_labels WHERE campaign_id = $campaign_id"

LEASED = "SELECT sample_id FROM leases WHERE campaign_id = $campaign_id AND ended_at IS NULL AND expires_at > $now"

STATE = f"""CASE WHEN reserve THEN 'reserve'
    WHEN sample_id IN ({LABELLED}) THEN 'labelled'
    WHEN sample_id IN ({LEASED}) THEN 'leased'
    ELSE 'pool' END"""
"""Expression over `samples`: reserve before labelled before leased before pool."""

GIVEN_UP = f"""SELECT sample_id FROM skips WHERE campaign_id = $campaign_id
    GROUP BY sample_id HAVING count(DISTINCT annotator) >= {SKIPS_TO_GIVE_UP}"""

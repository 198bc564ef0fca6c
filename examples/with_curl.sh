#!/usr/bin/env bash
# Query, label and predict with curl: examples/with_curl.sh CAMPAIGN IMAGE CLASS
set -euo pipefail
campaign=$1 image=$2 class=$3 service=${AL_LOOP_URL:-http://127.0.0.1:8090}
base="$service/campaigns/$campaign"
send() { curl --silent --show-error --fail-with-body "$@"; echo; }

# The next sample, leased to the annotator.
answer=$(send --json '{"annotator": "cleo", "query_size": 1}' "$base/queries")
echo "$answer"
sample=$(echo "$answer" | sed -E 's/.*"sample_id":([0-9]+).*/\1/')

# Its picture, and its label.
send --output "sample-$sample.png" "$base/samples/$sample/thumbnail.png"
send --json "{\"sample_id\": $sample, \"task\": \"classification\", \"annotator\": \"cleo\", \"classes\": [\"$class\"]}" \
    "$base/labels"

# What the serving model says of an image: probabilities in the order of the classes.
send --form "image=@$image" "$base/predictions/classification"

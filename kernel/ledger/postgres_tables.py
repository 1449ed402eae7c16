"""The tables and the append function of the PostgreSQL engine, as SQL text.

Design A3: one append is one call and one round trip, so that no client can stall while it holds
the head row; the chain is computed inside with the built-in sha256(). Called by `postgres.py`.
"""

from __future__ import annotations

from typing import Final

TABLES: Final = """
CREATE TABLE IF NOT EXISTS {head} (
  one integer PRIMARY KEY CHECK (one = 1),
  ledger text NOT NULL, suite text NOT NULL,
  position bigint NOT NULL, hash bytea NOT NULL, at bigint NOT NULL) WITH (fillfactor = 10);
CREATE TABLE IF NOT EXISTS {event} (
  position bigint PRIMARY KEY,
  stream uuid NOT NULL, version bigint NOT NULL,
  topic text NOT NULL, at bigint NOT NULL, envelope text NOT NULL, body text NOT NULL,
  sealed_for uuid, sealed bytea, hash bytea NOT NULL,
  CONSTRAINT {event_stream} UNIQUE (stream, version));
CREATE TABLE IF NOT EXISTS {claim} (
  kind text COLLATE "C" NOT NULL, key text COLLATE "C" NOT NULL,
  fingerprint bytea NOT NULL, position bigint NOT NULL, PRIMARY KEY (kind, key));
CREATE OR REPLACE VIEW {readable} AS
  SELECT position, stream, version, topic,
    to_timestamp(at / 1000000.0) AS at,
    envelope::json ->> 'subject' AS subject,
    envelope::json ->> 'purpose' AS purpose,
    envelope::json ->> 'protocol' AS protocol,
    envelope::json ->> 'address' AS address,
    envelope::json ->> 'correlation' AS correlation,
    body, sealed_for IS NOT NULL AS sealed
  FROM {event};
"""

# Numbers: p_stream holds, for each event, the index of its stream in p_streams; p_step its
# version counted from the version that stream has now; p_envelope the index of its envelope.
# p_bases is the version each stream must have now (null: any). A claim's p_offset is the number
# in this call of the last event of its append.
# Returns the position before the first event, or null when a stream moved or a claim is taken;
# then nothing was written.
APPEND: Final = """
CREATE OR REPLACE FUNCTION {append} (
  p_at bigint,
  p_streams uuid[], p_bases bigint[],
  p_stream integer[], p_step bigint[], p_topics text[], p_envelopes text[], p_envelope integer[],
  p_bodies text[], p_sealed_for uuid[], p_sealed bytea[], p_digests bytea[],
  p_kinds text[], p_keys text[], p_fingerprints bytea[], p_shared boolean[], p_offsets bigint[],
  p_channel text
) RETURNS bigint LANGUAGE plpgsql AS $append$
DECLARE
  v_start bigint;
  v_hash bytea;
  v_at bigint;
  v_at_bytes bytea;
  v_bases bigint[];
  v_version bigint;
  v_versions bigint[] := '{{}}';
  v_hashes bytea[] := '{{}}';
  v_stream_bytes bytea[];
  v_count integer := cardinality(p_stream);
BEGIN
  SELECT position, hash, greatest(at, p_at) INTO STRICT v_start, v_hash, v_at
    FROM {head} FOR UPDATE;

  SELECT array_agg(coalesce(last.version, 0) ORDER BY s.number),
         array_agg(uuid_send(s.stream) ORDER BY s.number)
    INTO v_bases, v_stream_bytes
    FROM unnest(p_streams) WITH ORDINALITY AS s (stream, number)
    LEFT JOIN LATERAL (
      SELECT version FROM {event} e WHERE e.stream = s.stream ORDER BY version DESC LIMIT 1
    ) last ON true;
  IF EXISTS (
    SELECT 1 FROM unnest(v_bases, p_bases) AS b (now, wanted) WHERE b.now <> b.wanted
  ) THEN
    RETURN NULL;
  END IF;

  IF cardinality(p_kinds) > 0 THEN
    IF EXISTS (
      SELECT 1 FROM unnest(p_kinds, p_keys, p_fingerprints, p_shared)
        AS n (kind, key, fingerprint, shared)
      JOIN {claim} c ON c.kind = n.kind AND c.key = n.key
      WHERE NOT (n.shared AND c.fingerprint = n.fingerprint)
    ) THEN
      RETURN NULL;
    END IF;
    INSERT INTO {claim} (kind, key, fingerprint, position)
      SELECT kind, key, fingerprint, v_start + number
      FROM unnest(p_kinds, p_keys, p_fingerprints, p_offsets)
        AS n (kind, key, fingerprint, number)
      ON CONFLICT (kind, key) DO NOTHING;
  END IF;

  -- chain.link: tag, hash before, position, stream, version, at, digest; 120 bytes.
  v_at_bytes := int8send(v_at);
  FOR i IN 1 .. v_count LOOP
    v_version := v_bases[p_stream[i]] + p_step[i];
    v_versions[i] := v_version;
    v_hash := sha256('\\x7069616e6b752f6c696e6b2f310a0000'::bytea || v_hash
      || int8send(v_start + i) || v_stream_bytes[p_stream[i]]
      || int8send(v_version) || v_at_bytes || p_digests[i]);
    v_hashes[i] := v_hash;
  END LOOP;

  INSERT INTO {event} (position, stream, version, topic, at, envelope, body, sealed_for, sealed,
                       hash)
    SELECT v_start + e.number, p_streams[e.stream], e.version, e.topic, v_at,
           p_envelopes[e.envelope], e.body, e.sealed_for, e.sealed, e.hash
    FROM unnest(p_stream, v_versions, p_topics, p_envelope, p_bodies, p_sealed_for, p_sealed,
                v_hashes) WITH ORDINALITY
      AS e (stream, version, topic, envelope, body, sealed_for, sealed, hash, number);
  UPDATE {head} SET position = v_start + v_count, hash = v_hash, at = v_at;
  PERFORM pg_notify(p_channel, '');
  RETURN v_start;
END
$append$;
"""

GAP: Final = """
SELECT position FROM {event} e WHERE version > 1
  AND NOT EXISTS (
    SELECT 1 FROM {event} b WHERE b.stream = e.stream AND b.version = e.version - 1)
  ORDER BY position LIMIT 1
"""

BOUNDS: Final = "SELECT coalesce(min(position), 1), coalesce(max(position), 0) FROM {claim}"

VERSIONS: Final = """
SELECT s.stream, last.version FROM unnest(%b::uuid[]) AS s (stream)
  CROSS JOIN LATERAL (
    SELECT version FROM {event} e WHERE e.stream = s.stream ORDER BY version DESC LIMIT 1) last
"""

HELD: Final = """
SELECT c.kind, c.key, c.fingerprint, c.position
  FROM unnest(%b::text[], %b::text[]) AS n (kind, key)
  JOIN {claim} c ON c.kind = n.kind AND c.key = n.key
"""

CALL: Final = """
SELECT {append}(%b::bigint, %b::uuid[], %b::bigint[], %b::integer[], %b::bigint[], %b::text[],
  %b::text[], %b::integer[], %b::text[], %b::uuid[], %b::bytea[], %b::bytea[], %b::text[],
  %b::text[], %b::bytea[], %b::boolean[], %b::bigint[], %b::text)
"""

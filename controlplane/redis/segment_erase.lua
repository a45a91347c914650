-- SPDX-License-Identifier: BSD-3-Clause
-- Its owner takes a segment away.
--
-- ARGV: epoch, events_max, segment, node, incarnation, term
-- OK version | ABSENT segment | OWNED segment node | NONODE node | REPLACED node incarnation term | FORMAT ...
-- | MALFORMED ... | NODATASET | EPOCH epoch

local name, node, incarnation, term = ARGV[3], ARGV[4], ARGV[5], ARGV[6]

local wrong = dataset_refusal() or writer_refusal(node, incarnation, term)
	or type_refusal({[segment_key(name)] = 'hash'})
if wrong then return wrong end

local record = redis.call('HMGET', segment_key(name), 'format', 'node')
if not record[1] then return {'ABSENT', name} end
if record[1] ~= FORMAT then return {'FORMAT', segment_key(name), record[1], FORMAT} end
if record[2] ~= node then return {'OWNED', name, record[2] or ''} end
return {'OK', segment_retire(node, name)}

-- SPDX-License-Identifier: BSD-3-Clause
-- Writes a segment's record and bumps its version. What is the same already bumps nothing, so that a control plane may
-- publish all again whenever it does not know.
--
-- ARGV: epoch, events_max, segment, node, incarnation, term, least version to give, bytes, tenant, readers, writers,
--       addresses, buffers, number, key
-- OK version | OWNED segment node | NONODE node | REPLACED node incarnation term | FORMAT ... | MALFORMED ... | NODATASET
-- | EPOCH epoch

local name, node, incarnation, term, least = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local content = {'bytes', 'tenant', 'readers', 'writers', 'addresses', 'buffers', 'number', 'key'}

local wrong = dataset_refusal() or writer_refusal(node, incarnation, term)
	or type_refusal({[segment_key(name)] = 'hash'})
if wrong then return wrong end

local record = redis.call('HMGET', segment_key(name), 'format', 'node', 'incarnation', 'version', 'epoch',
			  unpack(content))
if record[1] and record[1] ~= FORMAT then return {'FORMAT', segment_key(name), record[1], FORMAT} end
if record[1] and record[2] ~= node then return {'OWNED', name, record[2] or ''} end
if record[1] and not is_number(record[4]) then return {'MALFORMED', segment_key(name), 'field version'} end

local is_same = record[1] and record[3] == incarnation and least <= record[4]
for index = 1, #content do is_same = is_same and record[5 + index] == ARGV[7 + index] end
if is_same then
	if record[5] ~= epoch then redis.call('HSET', segment_key(name), 'epoch', epoch) end
	return {'OK', record[4]}
end

local version = number_max(number_next(version_stored(record[4])), least)
redis.call('HSET', segment_key(name), 'format', FORMAT, 'segment', name, 'node', node, 'incarnation', incarnation,
	   'version', version, 'epoch', epoch)
for index = 1, #content do redis.call('HSET', segment_key(name), content[index], ARGV[7 + index]) end
redis.call('SADD', segments_key, name)
redis.call('SADD', owned_key(node), name)
event_append('publish', name, incarnation, version)
return {'OK', version}

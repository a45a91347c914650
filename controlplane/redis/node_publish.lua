-- SPDX-License-Identifier: BSD-3-Clause
-- A node's dataplane takes its name. The same incarnation may come again at any time. Another one may when the holder
-- has left, runs on the same boot of the same host (there is one dataplane of a name there, so the holder is gone), when
-- its beat still is the one the caller has watched standing still for long enough, or when the operator says so. Of two
-- that have held the name the higher term keeps it. Whatever the name's earlier incarnations published is retired here,
-- before this one's first segment.
--
-- ARGV: epoch, events_max, node, incarnation, term (zero: never held the name), host, addresses, replace (0 or 1),
--       incarnation and beat of the holder that stood still (or empty)
-- OK term retired-count | TAKEN node incarnation term host beat | REPLACED node incarnation term | FORMAT ... | MALFORMED ...
-- | NODATASET | EPOCH epoch

local node, incarnation, term, host, addresses = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local replace, seen_incarnation, seen_beat = ARGV[8], ARGV[9], ARGV[10]

local wrong = dataset_refusal()
	or type_refusal({[node_key(node)] = 'hash', [owned_key(node)] = 'set'})
if wrong then return wrong end

local record = redis.call('HMGET', node_key(node), 'format', 'incarnation', 'term', 'host', 'beat', 'state',
			  'addresses', 'epoch')
if record[1] and record[1] ~= FORMAT then return {'FORMAT', node_key(node), record[1], FORMAT} end
if record[1] and not (is_identity(record[2]) and is_number(record[3]) and is_number(record[5])) then
	return {'MALFORMED', node_key(node), 'field incarnation, term or beat'}
end

local term_new, beat = number_max(term, number_next(ZERO)), ZERO
if record[1] and record[2] == incarnation then
	term_new, beat = number_max(term, record[3]), record[5]
elseif record[1] and term > record[3] then
	term_new = term
elseif record[1] then
	local stands_still = seen_incarnation == record[2] and seen_beat == record[5]
	local is_free = record[6] == 'left' or replace == '1'
	if term ~= ZERO and not is_free then return {'REPLACED', node, record[2], record[3]} end
	if not (is_free or host == record[4] or stands_still) then
		return {'TAKEN', node, record[2], record[3], record[4] or '', record[5]}
	end
	term_new = number_next(record[3])
end

local owned = redis.call('SMEMBERS', owned_key(node))
for _, name in ipairs(owned) do
	wrong = type_refusal({[segment_key(name)] = 'hash'})
	if wrong then return wrong end
end

local retired = 0
for _, name in ipairs(owned) do
	if redis.call('HGET', segment_key(name), 'incarnation') ~= incarnation then
		segment_retire(node, name)
		retired = retired + 1
	end
end
local is_same = record[1] and record[2] == incarnation and record[3] == term_new and record[4] == host
	and record[6] == 'present' and record[7] == addresses
if not is_same or record[8] ~= epoch then
	redis.call('HSET', node_key(node), 'format', FORMAT, 'node', node, 'incarnation', incarnation, 'term', term_new,
		   'host', host, 'beat', beat, 'state', 'present', 'addresses', addresses, 'epoch', epoch)
	redis.call('SADD', nodes_key, node)
end
if not is_same then event_append('node', node, incarnation, term_new) end
return {'OK', term_new, string.format('%d', retired)}

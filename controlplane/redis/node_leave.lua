-- SPDX-License-Identifier: BSD-3-Clause
-- A node shuts down in order: its segments go, its name is free. The record stays, since it remembers the term.
--
-- ARGV: epoch, events_max, node, incarnation, term
-- OK retired-count | NONODE node | REPLACED node incarnation term | FORMAT ... | MALFORMED ... | NODATASET | EPOCH epoch

local node, incarnation, term = ARGV[3], ARGV[4], ARGV[5]
local wrong = dataset_refusal() or writer_refusal(node, incarnation, term)
if wrong then return wrong end

local owned = redis.call('SMEMBERS', owned_key(node))
for _, name in ipairs(owned) do
	wrong = type_refusal({[segment_key(name)] = 'hash'})
	if wrong then return wrong end
end

for _, name in ipairs(owned) do segment_retire(node, name) end
redis.call('HSET', node_key(node), 'state', 'left')
event_append('node', node, incarnation, term)
return {'OK', string.format('%d', #owned)}

-- SPDX-License-Identifier: BSD-3-Clause
-- A page of the nodes, in no order; a name may come twice, as SSCAN has it.
--
-- ARGV: epoch, events_max, cursor
-- OK cursor (format node incarnation term host beat state addresses segment-count)* | FORMAT ... | MALFORMED ... | NODATASET | EPOCH epoch

local wrong = dataset_refusal()
if wrong then return wrong end

local page = redis.call('SSCAN', nodes_key, ARGV[3], 'COUNT', 256)
local answer = {'OK', page[1]}
for _, name in ipairs(page[2]) do
	if redis.call('TYPE', node_key(name))['ok'] == 'hash' then
		local record = redis.call('HMGET', node_key(name), 'format', 'node', 'incarnation', 'term', 'host', 'beat',
					  'state', 'addresses')
		for field = 1, 8 do answer[#answer + 1] = record[field] or '' end
		local owned = owned_key(name)
		local count = redis.call('TYPE', owned)['ok'] == 'set' and redis.call('SCARD', owned) or 0
		answer[#answer + 1] = string.format('%020d', count)
	end
end
return answer

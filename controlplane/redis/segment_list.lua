-- SPDX-License-Identifier: BSD-3-Clause
-- A page of the segments, without their buffers but for the length of their rows, in no order; a name may come twice, as SSCAN has it. With a node only
-- that node's.
--
-- ARGV: epoch, events_max, cursor, node (or empty)
-- OK cursor (format segment node incarnation version bytes tenant readers writers addresses bytes-of-buffers)* | FORMAT ... | MALFORMED ...
-- | NODATASET | EPOCH epoch

local source = ARGV[4] == '' and segments_key or owned_key(ARGV[4])
local wrong = dataset_refusal() or type_refusal({[source] = 'set'})
if wrong then return wrong end

local page = redis.call('SSCAN', source, ARGV[3], 'COUNT', 256)
local answer = {'OK', page[1]}
for _, name in ipairs(page[2]) do
	if redis.call('TYPE', segment_key(name))['ok'] == 'hash' then
		local record = redis.call('HMGET', segment_key(name), 'format', 'segment', 'node', 'incarnation', 'version',
					  'bytes', 'tenant', 'readers', 'writers', 'addresses')
		for field = 1, 10 do answer[#answer + 1] = record[field] or '' end
		answer[#answer + 1] = string.format('%020d', redis.call('HSTRLEN', segment_key(name), 'buffers'))
	end
end
return answer

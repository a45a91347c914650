-- SPDX-License-Identifier: BSD-3-Clause
-- A segment's record together with its owner's, as they stand at one moment. A record that its owner has not written
-- since the epoch changed is not believed.
--
-- ARGV: epoch, events_max, segment
-- OK (format segment node incarnation version bytes tenant readers writers addresses buffers number key) (format node incarnation
--    term host beat state addresses)
-- | ABSENT segment | UNCONFIRMED segment node | FORMAT ... | MALFORMED ... | NODATASET | EPOCH epoch

local name = ARGV[3]
local wrong = dataset_refusal() or type_refusal({[segment_key(name)] = 'hash'})
if wrong then return wrong end

local record = redis.call('HMGET', segment_key(name), 'format', 'segment', 'node', 'incarnation', 'version', 'bytes',
			  'tenant', 'readers', 'writers', 'addresses', 'buffers', 'number', 'key', 'epoch')
if not record[1] and redis.call('EXISTS', segment_key(name)) == 0 then return {'ABSENT', name} end
if record[1] and record[1] ~= FORMAT then return {'FORMAT', segment_key(name), record[1], FORMAT} end
for field = 1, 14 do
	if not record[field] then return {'MALFORMED', segment_key(name), 'a field is missing'} end
end
if record[14] ~= epoch then return {'UNCONFIRMED', name, record[3]} end

wrong = type_refusal({[node_key(record[3])] = 'hash'})
if wrong then return wrong end
local node = redis.call('HMGET', node_key(record[3]), 'format', 'node', 'incarnation', 'term', 'host', 'beat', 'state',
			'addresses')
if not node[1] then return {'MALFORMED', segment_key(name), 'its owner has no record'} end
if node[1] ~= FORMAT then return {'FORMAT', node_key(record[3]), node[1], FORMAT} end

local answer = {'OK'}
for field = 1, 13 do answer[#answer + 1] = record[field] end
for field = 1, 8 do answer[#answer + 1] = node[field] or '' end
return answer

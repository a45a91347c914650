-- SPDX-License-Identifier: BSD-3-Clause
-- First of all on a connection: finds the data set or creates it, and renews its epoch when the server is another
-- process than the one that served the last (it may have lost writes).
--
-- ARGV: epoch to give if one is needed, events_max, run_id of the server.
-- OK epoch sequence last-event-id | FORMAT key found wanted | MALFORMED key what

local run_id = ARGV[3]
local wrong = type_refusal({[dataset_key] = 'hash', [events_key] = 'stream'})
if wrong then return wrong end

local dataset = redis.call('HMGET', dataset_key, 'format', 'epoch', 'run_id')
if dataset[1] and dataset[1] ~= FORMAT then return {'FORMAT', dataset_key, dataset[1], FORMAT} end
if not dataset[1] and redis.call('EXISTS', dataset_key) == 1 then
	return {'MALFORMED', dataset_key, 'field format'}
end

if dataset[1] and dataset[3] == run_id then
	epoch = dataset[2]
	wrong = dataset_refusal()
	if wrong then return wrong end
else
	-- dataset_refusal looks at what it finds, so the counters are looked at here, before anything is written.
	local sequence = redis.call('HGET', dataset_key, 'sequence') or '0'
	local floor = redis.call('HGET', dataset_key, 'version_floor') or ZERO
	if string.find(sequence, '%D') or #sequence == 0 or #sequence > 15 or not is_number(floor) then
		return {'MALFORMED', dataset_key, 'field sequence or version_floor'}
	end
	redis.call('HSET', dataset_key, 'format', FORMAT, 'epoch', epoch, 'run_id', run_id, 'sequence', sequence,
		   'version_floor', floor)
	event_append('epoch', '', epoch, ZERO)
end

local last = redis.call('XREVRANGE', events_key, '+', '-', 'COUNT', 1)
return {'OK', epoch, redis.call('HGET', dataset_key, 'sequence'), last[1] and last[1][1] or '0-0'}

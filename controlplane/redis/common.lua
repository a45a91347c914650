-- SPDX-License-Identifier: BSD-3-Clause
-- The beginning of every script: it stands before each of the others when they are embedded.
--
-- KEYS[1] is the prefix "haul:{CLUSTER}:"; the braces make one hash slot of all keys, so that names built here lie
-- where the prefix lies. ARGV[1] is the epoch that the caller believes in, ARGV[2] the length to which the event
-- stream is trimmed. The rest is each script's own.
--
-- Every script answers a flat array of strings whose first is a word: OK, or why not. It checks everything before its
-- first write, since what a script has written stays when it fails midway.
--
-- Lua's numbers are doubles, exact to 2^53 only: u64 numbers (versions, terms, beats) stay strings of 20 decimal digits
-- here and are compared as strings; identities (epochs, incarnations) are 16 hexadecimal digits and compared for
-- equality only.

local FORMAT = '2'
local ZERO = '00000000000000000000'
local NUMBER_MAX = '18446744073709551615'

local prefix = KEYS[1]
local epoch = ARGV[1]
local events_max = ARGV[2]
local dataset_key = prefix .. 'dataset'
local events_key = prefix .. 'events'
local nodes_key = prefix .. 'nodes'
local segments_key = prefix .. 'segments'

local function node_key(name) return prefix .. 'node:' .. name end
local function owned_key(name) return prefix .. 'owned:' .. name end
local function segment_key(name) return prefix .. 'segment:' .. name end

local function is_number(text)
	return text and #text == 20 and not string.find(text, '%D') and text <= NUMBER_MAX
end

local function is_identity(text)
	return text and #text == 16 and not string.find(text, '[^0-9a-f]')
end

-- The number after it. Callers bound their numbers far below the largest.
local function number_next(text)
	local head, nines = string.match(text, '^(%d-)(9*)$')
	local last = tonumber(string.sub(head, -1)) + 1
	return string.sub(head, 1, -2) .. string.format('%d', last) .. string.rep('0', #nines)
end

local function number_max(a, b)
	if a > b then return a end
	return b
end

-- A key is either absent or of the type that belongs there; anything else would fail a script midway.
local function type_refusal(wanted)
	for name, kind in pairs(wanted) do
		local found = redis.call('TYPE', name)['ok']
		if found ~= 'none' and found ~= kind then
			return {'MALFORMED', name, 'is a ' .. found .. ', not a ' .. kind}
		end
	end
end

local function dataset_refusal()
	local wrong = type_refusal({[dataset_key] = 'hash', [events_key] = 'stream',
				    [nodes_key] = 'set', [segments_key] = 'set'})
	if wrong then return wrong end
	local dataset = redis.call('HMGET', dataset_key, 'format', 'epoch', 'sequence', 'version_floor')
	if not dataset[1] then return {'NODATASET'} end
	if dataset[1] ~= FORMAT then return {'FORMAT', dataset_key, dataset[1], FORMAT} end
	if not is_identity(dataset[2]) then return {'MALFORMED', dataset_key, 'field epoch'} end
	if dataset[2] ~= epoch then return {'EPOCH', dataset[2]} end
	if not dataset[3] or string.find(dataset[3], '%D') or #dataset[3] > 15 then
		return {'MALFORMED', dataset_key, 'field sequence'}
	end
	if not is_number(dataset[4]) then return {'MALFORMED', dataset_key, 'field version_floor'} end
end

-- Events carry the epoch and a sequence number of their own, so that a follower sees a gap. The sequence stays below
-- 2^53 for longer than machines live, so HINCRBY's way through a double is exact.
local function event_append(kind, name, incarnation, version)
	redis.call('HINCRBY', dataset_key, 'sequence', 1)
	redis.call('XADD', events_key, 'MAXLEN', '~', events_max, '*', 'format', FORMAT, 'epoch', epoch,
		   'sequence', redis.call('HGET', dataset_key, 'sequence'), 'kind', kind, 'name', name,
		   'incarnation', incarnation, 'version', version)
end

-- The version that a segment of this name must exceed: its record's, or the greatest that was ever retired. One number
-- for all retired names keeps versions growing over erasure and replacement without a tombstone for each name.
local function version_stored(record_version)
	local floor = redis.call('HGET', dataset_key, 'version_floor')
	if is_number(record_version) then return record_version end
	return floor
end

-- Takes a segment's record away. Also what is malformed goes: its version is then the floor's.
local function segment_retire(node, name)
	local record = redis.call('HMGET', segment_key(name), 'version', 'incarnation')
	local version = number_next(version_stored(record[1]))
	local floor = redis.call('HGET', dataset_key, 'version_floor')
	redis.call('DEL', segment_key(name))
	redis.call('SREM', segments_key, name)
	redis.call('SREM', owned_key(node), name)
	redis.call('HSET', dataset_key, 'version_floor', number_max(floor, version))
	event_append('erase', name, is_identity(record[2]) and record[2] or string.rep('0', 16), version)
	return version
end

-- Who writes must be the incarnation that holds the node's name, with its term.
local function writer_refusal(node, incarnation, term)
	local wrong = type_refusal({[node_key(node)] = 'hash', [owned_key(node)] = 'set'})
	if wrong then return wrong end
	local holder = redis.call('HMGET', node_key(node), 'format', 'incarnation', 'term', 'state')
	if not holder[1] then return {'NONODE', node} end
	if holder[1] ~= FORMAT then return {'FORMAT', node_key(node), holder[1], FORMAT} end
	if holder[2] ~= incarnation or holder[3] ~= term then
		return {'REPLACED', node, holder[2] or '', holder[3] or ''}
	end
	if holder[4] ~= 'present' then return {'NONODE', node} end
end

-- SPDX-License-Identifier: BSD-3-Clause
-- Writes a segment's record and bumps its version. What is the same already bumps nothing, so that a control plane may
-- publish all again whenever it does not know.
--
-- The owner says whether it changes what it knows to stand here, or writes again what it believes after an answer was
-- lost. A change of the very version that it knows must move each buffer as the table in controlplane/model/buffer.c
-- has it. The control plane has looked at the same; here it is looked at what really stands here.
--
-- ARGV: epoch, events_max, segment, node, incarnation, term, least version to give, bytes, tenant, readers, writers,
--       addresses, buffers, number, key, is a change (0 or 1)
-- OK version | OWNED segment node | ILLEGAL segment what | NONODE node | REPLACED node incarnation term | FORMAT ...
-- | MALFORMED ... | NODATASET
-- | EPOCH epoch

local name, node, incarnation, term, least = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local content = {'bytes', 'tenant', 'readers', 'writers', 'addresses', 'buffers', 'number', 'key'}
local BUFFERS = 6

-- Rows of buffers, as docs/metadata.md has them. Looking at a row costs the server about a microsecond: when more than
-- ROWS_MAX differ, which no change of one buffer does, the control plane's look has to do.
local ROW = 53
local ROWS_MAX = 4096
local ROWS_STEP = 64 * ROW
local LEGAL = {[' 01'] = true, ['0101'] = true, ['0102'] = true, ['0202'] = true, ['02 '] = true}

-- How many bytes both have in common, in whole rows, from the front or from the end.
local function rows_common(a, b, most, is_end)
	local at = 0
	for _, step in ipairs({ROWS_STEP, ROW}) do
		while at + step <= most do
			local i, j = at, at
			if is_end then i, j = #a - at - step, #b - at - step end
			if string.sub(a, i + 1, i + step) ~= string.sub(b, j + 1, j + step) then break end
			at = at + step
		end
	end
	return at
end

-- What of a row names its buffer: the region's handle, or the place of one that is divided.
local function row_identity(row)
	local region = string.sub(row, 35, 46)
	if region ~= '000000000000' then return region end
	return string.sub(row, 1, 33)
end

local function rows_by_identity(rows, first, last)
	local found = {}
	for at = first, last, ROW do
		local row = string.sub(rows, at, at + ROW - 1)
		found[row_identity(row)] = row
	end
	return found
end

-- nil, or which buffer does what it must not.
local function rows_refusal(before, after)
	if #after % ROW ~= 0 or #before % ROW ~= 0 then return 'rows of buffers that are cut' end
	local front = rows_common(before, after, math.min(#before, #after), false)
	local back = rows_common(before, after, math.min(#before, #after) - front, true)
	if #before + #after - 2 * (front + back) > ROWS_MAX * ROW then return nil end
	local old = rows_by_identity(before, front + 1, #before - back)
	local new = rows_by_identity(after, front + 1, #after - back)
	for identity, row in pairs(new) do
		local was = old[identity]
		local from = was and string.sub(was, 51, 52) or ' '
		if was and string.sub(was, 1, 49) ~= string.sub(row, 1, 49) then
			return 'region ' .. identity .. ' changes its place, length or rights'
		end
		if not LEGAL[from .. string.sub(row, 51, 52)] then
			return 'the buffer ' .. identity .. ' goes from state ' .. from .. ' to ' .. string.sub(row, 51, 52)
		end
	end
	for identity, row in pairs(old) do
		if not new[identity] and not LEGAL[string.sub(row, 51, 52) .. ' '] then
			return 'the buffer ' .. identity .. ' vanishes without draining'
		end
	end
end

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

if ARGV[8 + #content] == '1' and record[3] == incarnation and record[4] == least and record[5] == epoch then
	local what = rows_refusal(record[5 + BUFFERS] or '', ARGV[7 + BUFFERS])
	if what then return {'ILLEGAL', name, what} end
end

local version = number_max(number_next(version_stored(record[4])), least)
redis.call('HSET', segment_key(name), 'format', FORMAT, 'segment', name, 'node', node, 'incarnation', incarnation,
	   'version', version, 'epoch', epoch)
for index = 1, #content do redis.call('HSET', segment_key(name), content[index], ARGV[7 + index]) end
redis.call('SADD', segments_key, name)
redis.call('SADD', owned_key(node), name)
event_append('publish', name, incarnation, version)
return {'OK', version}

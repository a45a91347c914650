-- SPDX-License-Identifier: BSD-3-Clause
-- Where the named segments stand; what followers reconcile against.
--
-- ARGV: epoch, events_max, segment...
-- OK (state incarnation version)* | FORMAT ... | MALFORMED ... | NODATASET | EPOCH epoch
-- where state is present, unconfirmed (not written since the epoch changed), absent or malformed; the last two have
-- empty strings behind them.

local wrong = dataset_refusal()
if wrong then return wrong end

local answer = {'OK'}
for index = 3, #ARGV do
	local state, incarnation, version = 'malformed', '', ''
	local kind = redis.call('TYPE', segment_key(ARGV[index]))['ok']
	if kind == 'none' then
		state = 'absent'
	elseif kind == 'hash' then
		local record = redis.call('HMGET', segment_key(ARGV[index]), 'format', 'incarnation', 'version', 'epoch')
		if record[1] == FORMAT and is_identity(record[2]) and is_number(record[3]) then
			state, incarnation, version = 'present', record[2], record[3]
			if record[4] ~= epoch then state = 'unconfirmed' end
		end
	end
	answer[#answer + 1] = state
	answer[#answer + 1] = incarnation
	answer[#answer + 1] = version
end
return answer

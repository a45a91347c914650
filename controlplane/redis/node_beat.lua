-- SPDX-License-Identifier: BSD-3-Clause
-- Sign of life of a node whose dataplane answers. Bumps nothing and tells nobody: observers look.
--
-- ARGV: epoch, events_max, node, incarnation, term, beat
-- OK | NONODE node | REPLACED node incarnation term | FORMAT ... | MALFORMED ... | NODATASET | EPOCH epoch

local wrong = dataset_refusal() or writer_refusal(ARGV[3], ARGV[4], ARGV[5])
if wrong then return wrong end
redis.call('HSET', node_key(ARGV[3]), 'beat', ARGV[6])
return {'OK'}

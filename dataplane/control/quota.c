/* SPDX-License-Identifier: BSD-3-Clause */
/* Quotas of users; quota.h says of what. */
#include "control/quota.h"

#include "control/client.h"
#include "control/node.h"

/* What clients hold now: those of the uid, and all of them. */
struct quota_usage {
	uint32_t segments;
	uint32_t buffers;
	uint32_t segments_all;
	uint64_t bytes;
};

static struct quota_usage quota_usage(const struct client *client)
{
	struct quota_usage usage = { 0 };
	const struct client *other;

	TAILQ_FOREACH(other, &client->node->clients.list, link)
	{
		usage.segments_all += other->segments;
		if (other->uid != client->uid)
			continue;
		usage.segments += other->segments;
		usage.buffers += other->buffers;
		usage.bytes += other->bytes;
	}
	return usage;
}

bool quota_refuses(struct client *client, const struct quota_wish *wish)
{
	const struct dataplane_conf *conf = client->node->conf;
	struct quota_usage usage = quota_usage(client);
	struct dataplane_quota quota;

	dataplane_conf_quota(conf, client->uid, &quota);
	if (usage.segments + wish->segments > quota.segments || wish->bytes > quota.bytes ||
	    usage.bytes > quota.bytes - wish->bytes) {
		client_refuse(
			client, HAUL_QUOTA,
			"uid %u has %u segments with %lu bytes and asks for %u more with %lu; it "
			"may have %u with %lu",
			client->uid, usage.segments, (unsigned long)usage.bytes, wish->segments,
			(unsigned long)wish->bytes, quota.segments, (unsigned long)quota.bytes);
		return true;
	}
	if (usage.buffers + wish->buffers > quota.buffers) {
		client_refuse(
			client, HAUL_QUOTA,
			"uid %u has %u buffers and extents and asks for %u more; it may have %u",
			client->uid, usage.buffers, wish->buffers, quota.buffers);
		return true;
	}
	if (usage.segments_all + wish->segments > conf->segments_max) {
		client_refuse(client, HAUL_BUSY, "all %u segments of this daemon are in use",
			      conf->segments_max);
		return true;
	}
	return false;
}

bool quota_has_buffer(const struct client *client)
{
	struct dataplane_quota quota;

	dataplane_conf_quota(client->node->conf, client->uid, &quota);
	return quota_usage(client).buffers < quota.buffers;
}

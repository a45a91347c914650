/* SPDX-License-Identifier: BSD-3-Clause */
/* The one array of transports; a new one adds its line here and its folder beside. */
#include "drivers/drivers.h"

#include "base/check.h"
#include "drivers/local/local.h"
#if HAUL_HAS_UDP
#include "drivers/udp/udp.h"
#endif

const struct transport_ops *const drivers_all[] = {
	&local_ops,
#if HAUL_HAS_UDP
	&udp_ops,
#endif
};

const unsigned int drivers_count = ARRAY_SIZE(drivers_all);

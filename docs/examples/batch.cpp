// SPDX-License-Identifier: BSD-3-Clause
//
// The same from C++: what libhaul hands out is held by objects, errors are exceptions, and many small WRITEs complete
// once, as a batch.
//
//     c++ -std=c++17 batch.cpp $(pkg-config --cflags --libs haul) -o batch && ./batch
#include <cstring>
#include <haul/haul.h>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

namespace
{

class Attachment
{
      public:
	Attachment()
	{
		haul *raw = nullptr;
		check(haul_attach(nullptr, &raw), "attach");
		haul_.reset(raw);
	}

	haul *get() const
	{
		return haul_.get();
	}

	// Throw what libhaul says about a refusal.
	void check(int result, const std::string &what) const
	{
		if (result < 0)
			throw std::runtime_error(what + ": " + haul_error_text(result) + ": " +
						 haul_reason(haul_.get()));
	}

	haul_memory create(const char *name, std::size_t bytes)
	{
		haul_segment_options options{};
		haul_memory memory{};
		options.name = name;
		options.bytes = bytes;
		options.is_private = name == nullptr;
		check(haul_segment_create(get(), &options, &memory), "create");
		return memory;
	}

	haul_remote open(const char *name)
	{
		haul_remote remote{};
		check(haul_segment_open(get(), name, HAUL_READ | HAUL_WRITE, &remote), "open");
		return remote;
	}

	// Wait for one completion and hand it back.
	haul_completion wait()
	{
		const haul_completion *completion = nullptr;
		const int count = haul_wait(get(), UINT64_MAX, &completion);
		check(count, "wait");
		const haul_completion copy = *completion;
		haul_seen(get(), 1);
		if (copy.status != HAUL_OK)
			throw std::runtime_error(std::string(haul_error_text(copy.status)) + ": " +
						 haul_reason_text(copy.reason));
		return copy;
	}

      private:
	struct Detach {
		void operator()(haul *raw) const
		{
			haul_detach(raw);
		}
	};

	std::unique_ptr<haul, Detach> haul_;
};

constexpr std::uint32_t pieces = 32;
constexpr std::uint32_t piece_bytes = 1000;

void run()
{
	Attachment attachment;
	const haul_memory target = attachment.create("examples/batch", pieces * piece_bytes);
	const haul_memory memory = attachment.create(nullptr, pieces * piece_bytes);
	const haul_remote remote = attachment.open("examples/batch");

	std::memset(memory.address, 'x', memory.bytes);
	for (std::uint32_t i = 0; i < pieces; i++) {
		haul_entry *entry = haul_entry_next(attachment.get());
		haul_prep_write(entry, &memory, i * piece_bytes, &remote, i * piece_bytes,
				piece_bytes);
		haul_prep_batch(entry, 1, i == pieces - 1);
	}
	attachment.check(haul_submit(attachment.get()), "submit");

	const haul_completion whole = attachment.wait();
	if (std::memcmp(memory.address, target.address, pieces * piece_bytes) != 0)
		throw std::runtime_error("the bytes differ");
	std::cout << whole.members << " WRITEs, " << whole.bytes << " bytes, one completion after "
		  << whole.time_us << " us\n";
}

} // namespace

int main()
{
	try {
		run();
	} catch (const std::exception &error) {
		std::cerr << "batch: " << error.what() << '\n';
		return 1;
	}
	return 0;
}

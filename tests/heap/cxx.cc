// SPDX-License-Identifier: MIT
// cxx.cc - operator new and delete in all forms, exceptions and threads, preloaded.
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

static int nr_failed, nr_handled;

static void expect(const char *what, bool holds)
{
	if (!holds) {
		std::printf("%s: NO\n", what);
		nr_failed++;
	}
}

static void give_up_at_the_third()
{
	if (++nr_handled == 3)
		std::set_new_handler(nullptr);
}

static void all_forms()
{
	volatile std::size_t most = PTRDIFF_MAX;
	struct alignas(512) wide {
		char text[512];
	};
	wide *one = new wide, *many = new wide[3];
	bool thrown = false;

	expect("aligned new", reinterpret_cast<std::uintptr_t>(one) % 512 == 0);
	expect("aligned new[]", reinterpret_cast<std::uintptr_t>(many) % 512 == 0);
	delete one;
	delete[] many;
	delete[] new (std::nothrow) char[100];
	delete new (std::nothrow) int;
	expect("nothrow gives null", ::operator new(most, std::nothrow) == nullptr);
	std::set_new_handler(give_up_at_the_third);
	try {
		::operator delete(::operator new(most));
	} catch (const std::bad_alloc &) {
		thrown = true;
	}
	expect("new throws bad_alloc", thrown);
	expect("after it asked the handler", nr_handled == 3);
	::operator delete(::operator new(100), std::size_t{100});
	::operator delete(::operator new(100, std::align_val_t{64}), std::size_t{100},
			  std::align_val_t{64});
}

static void churn(int seed)
{
	std::map<int, std::string> words;

	for (int i = 0; i < 20000; i++) {
		words[(i * 31 + seed) % 1000] += std::to_string(i);
		if (i % 7 == 0)
			words.erase(i % 1000);
		try {
			if (i % 100 == 0)
				throw std::vector<int>(50, i);
		} catch (const std::vector<int> &v) {
			expect("exceptions carry what they hold", v[49] == i);
		}
	}
}

int main()
{
	std::vector<std::thread> threads;

	all_forms();
	for (int i = 0; i < 4; i++)
		threads.emplace_back(churn, i);
	for (auto &thread : threads)
		thread.join();
	std::puts("done");
	return nr_failed;
}

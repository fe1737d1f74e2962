#include "config/document.hpp"

#include <atomic>
#include <cstdlib>
#include <ctime>
#include <new>

#include <doctest/doctest.h>
#include <malloc.h>

// Counts the heap bytes of this program. The allocations of yaml-cpp use these operators, too.
namespace {
std::atomic<std::size_t> heap_now{0};
std::atomic<std::size_t> heap_peak{0};

void release(void* memory) noexcept {
  heap_now -= ::malloc_usable_size(memory);
  std::free(memory);
}
}  // namespace

void* operator new(std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  void* memory = std::malloc(size);
  const std::size_t now = heap_now += ::malloc_usable_size(memory);
  if (now > heap_peak) heap_peak = now;
  return memory;
}
void* operator new(std::size_t size) {
  void* memory = ::operator new(size, std::nothrow);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept {
  release(memory);
}
void operator delete(void* memory, std::size_t /*size*/) noexcept {
  release(memory);
}

namespace {

using config::Document;
using config::Node;
using config::Place;

std::string repeated(std::string_view part, std::size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += part;
  text.resize(bytes);
  return text;
}

std::string fault_of(std::string_view text) {
  const Document document = config::parse_document(text);
  if (document.fault.empty()) return "none";
  return std::to_string(document.place.line) + ':' + std::to_string(document.place.column) + ' ' + document.fault;
}

TEST_CASE("a document is a tree whose nodes know their line and column") {
  const Document document = config::parse_document("a: 1\nlist:\n  - x\n  - {k: [~, \"q\"]}\n");
  REQUIRE(document.fault.empty());
  const Node& root = *document.root;
  REQUIRE(root.entries.size() == 2);
  CHECK(root.entries[0].key == "a");
  CHECK(root.entries[0].place == Place{1, 1});
  CHECK(root.entries[0].value->text == "1");
  CHECK(root.entries[0].value->place == Place{1, 4});
  const Node& list = *root.entries[1].value;
  CHECK(list.items[0]->place == Place{3, 5});
  const Node& inner = *list.items[1]->entries[0].value;
  CHECK(inner.items[0]->kind == Node::Kind::null);
  CHECK(inner.items[1]->text == "q");
  CHECK(inner.items[1]->place == Place{4, 13});
}

TEST_CASE("an empty file has no root and no fault") {
  for (const char* text : {"", "\n\n", "# nothing\n"}) {
    const Document document = config::parse_document(text);
    CHECK(document.root == nullptr);
    CHECK(document.fault.empty());
  }
}

TEST_CASE("an alias has the value of its anchor and the place where it is used") {
  const Document document = config::parse_document("a: &x [1, 2]\nb: *x\n");
  REQUIRE(document.fault.empty());
  CHECK(document.root->entries[1].value == document.root->entries[0].value);
}

TEST_CASE("anything but one plain document is refused, with its place") {
  struct Row {
    std::string_view text;
    std::string_view fault;
  };
  for (const Row& row : {
           Row{"a: 1\nb: [1\n", "3:1 not YAML: a '[' without its ']'"},
           Row{"a: {b: 1", "1:9 not YAML: a '{' without its '}'"},
           Row{"a: 'x\nb: 1\n", "3:1 not YAML: a quote that is never closed"},
           Row{"a: \"x\nb: 1", "2:5 not YAML: a quote that is never closed"},
           Row{"a: b: c\n", "1:5 not YAML: a ':' where no key can be; check indentation, or quote the text"},
           Row{"a: 1\n  b: 2\n", "2:4 not YAML: a ':' where no key can be; check indentation, or quote the text"},
           Row{"a:\n  b: 1\n c: 2\n",
               "3:2 not YAML: neither a key nor the end of the section; check indentation and quotes"},
           Row{"a: 'x' y\n", "1:8 not YAML: neither a key nor the end of the section; check indentation and quotes"},
           Row{"a: *x\n", "1:4 not YAML: the referenced anchor is not defined"},
           Row{"a: 1\n---\nb: 2\n", "2:1 a second document; one file holds one"},
           Row{"a: !!int 1\n", "1:4 tags such as !!str are not used here"},
           Row{"a: !x [1]\n", "1:4 tags such as !!str are not used here"},
           Row{"[1]: 2\n", "1:1 a key must be a plain name"},
           Row{"? {a: b}\n: 2\n", "1:3 a key must be a plain name"},
           Row{"a: &x [*x]\n", "1:8 an alias within what it stands for"},
           Row{"a: 1\nb: \x04\n", "2:4 a control byte, or not UTF-8"},
           Row{{"a: \0 1\n", 7}, "1:4 a control byte, or not UTF-8"},
           Row{"\xff\xfe", "1:1 a control byte, or not UTF-8"},
           Row{"a: \xc0\xaf\n", "1:4 a control byte, or not UTF-8"},
       }) {
    CAPTURE(row.text);
    CHECK(fault_of(row.text) == row.fault);
  }
}

TEST_CASE("each limit is exact") {
  SUBCASE("bytes") {
    const std::string most = repeated("# \n", config::kMaxFileBytes);
    CHECK(fault_of(most) == "none");
    CHECK(fault_of(most + "\n") == "1:1 longer than 65536 bytes");
  }
  SUBCASE("depth") {
    const auto nested = [](int levels) {
      const auto count = static_cast<std::size_t>(levels);
      return std::string(count, '[') + std::string(count, ']');
    };
    CHECK(fault_of(nested(config::kMaxDepth)) == "none");
    CHECK(fault_of(nested(config::kMaxDepth + 1)) == "1:17 nested deeper than 16 levels");
  }
  SUBCASE("values") {
    CHECK(fault_of(repeated("- \n", 3 * (config::kMaxNodes - 1))) == "none");  // and the list itself
    CHECK(fault_of(repeated("- \n", 3 * config::kMaxNodes)).ends_with("more than 10000 values"));
  }
  SUBCASE("aliases") {
    const auto aliases = [](int count) {
      std::string text = "- &x 1\n";
      for (int i = 0; i < count; ++i) text += "- *x\n";
      return text;
    };
    CHECK(fault_of(aliases(config::kMaxAliases)) == "none");
    CHECK(fault_of(aliases(config::kMaxAliases + 1)) == "102:3 more than 100 aliases");
  }
}

TEST_CASE("each use of an alias counts") {
  std::string text = "l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i <= 9; ++i) {
    const std::string below = "*l" + std::to_string(i - 1);
    text += "l" + std::to_string(i) + ": &l" + std::to_string(i) + " [";
    for (int j = 0; j < 9; ++j) text += below + ", ";
    text += below + "]\n";
  }
  CHECK(fault_of(text).ends_with("more than 10000 values"));
}

TEST_CASE("any YAML bomb ends in an error within 100 ms and 50 MiB") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr double kMostSeconds = 1;  // more than the program promises, since this build may be slow
#else
  constexpr double kMostSeconds = 0.1;
#endif
  constexpr std::size_t kMostBytes = 50 * 1024 * 1024;
  for (const std::string part :
       {"[",    "{",    "{a: ",  "- ",      "? ",         "a: ",   "a:\n", "&a ",      "!a ",    "*a ",  "[],",
        "{},",  ",",    "\n",    "#",       "---\n",      "'",     "\"",   "a b ",     ": ",     "[a,",  "[? ",
        "|\n",  "%a\n", "x\n\n", "- - ",    "[[]:",       "&a [",  "[!a ", "a,",       "!<a",    "*",    "&",
        "\"\\", "\t",   "{a,",   "[\"a\",", "[\"a\": 1,", "...\n", ">\n ", "%TAG !a ", "- ? - ", " a:\n"}) {
    for (const std::string start : {"", "[", "{"}) {
      const std::string text = start + repeated(part, config::kMaxFileBytes - 1);
      CAPTURE(start);
      CAPTURE(part);
      const std::size_t heap_before = heap_now;
      heap_peak = heap_before;
      const std::clock_t cpu_before = std::clock();
      const Document document = config::parse_document(text);
      const double seconds = static_cast<double>(std::clock() - cpu_before) / CLOCKS_PER_SEC;
      CHECK(seconds < kMostSeconds);
      CHECK(heap_peak - heap_before < kMostBytes);
      // White space, comments, directives and one long scalar are harmless; all else is refused.
      const bool harmless = document.root == nullptr || document.root->kind == Node::Kind::scalar ||
                            document.root->kind == Node::Kind::null;
      CHECK((harmless || !document.fault.empty()));
    }
  }
}

TEST_CASE("a text is valid UTF-8 without control bytes") {
  const auto npos = std::string_view::npos;
  struct Row {
    std::string_view text;
    std::size_t unfit;
  };
  for (const Row& row : {
           Row{"plain\ttext\r\n", npos},
           Row{"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", npos},
           Row{"a\x7f", 1},
           Row{"ab\x1b", 2},
           Row{"\x80", 0},
           Row{"a\xc3", 1},
           Row{"\xe0\x80\x80", 0},
           Row{"\xed\xa0\x80", 0},      // a surrogate
           Row{"\xf4\x90\x80\x80", 0},  // beyond U+10FFFF
           Row{"\xf0\x80\x80\x80", 0},
           Row{"\xe2\x82", 0},
           Row{"\xf5\x80\x80\x80", 0},
       }) {
    CAPTURE(row.text);
    CHECK(config::find_unfit_byte(row.text) == row.unfit);
  }
}

}  // namespace

#pragma once

#include <cstddef>
#include <string_view>

namespace spillway::http {

/// Why a message with a trailer of this name is refused; null: the trailer may be dropped. Refused is what, in a head,
/// would say how the message is framed, where it goes, where it comes from or on whose behalf (RFC 9110,
/// section 6.5.1): who reads trailers like fields of the head would act on it unchecked. `name` is compared without
/// case.
const char* trailer_fault(std::string_view name);

/// No name that is refused is longer.
inline constexpr std::size_t kTrailerFaultMax = 25;

}  // namespace spillway::http

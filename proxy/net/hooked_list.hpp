#pragma once

#include <boost/intrusive/list.hpp>

namespace net {

/// Places an object in a list, which it leaves by `unlink` or when it dies. `Tag`: one for each list that an object can
/// be in at the same time.
template <class Tag>
using ListHook = boost::intrusive::list_base_hook<boost::intrusive::tag<Tag>,
                                                  boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

/// A list of such objects. Owns none.
template <class T, class Hook>
using HookedList =
    boost::intrusive::list<T, boost::intrusive::base_hook<Hook>, boost::intrusive::constant_time_size<false>>;

}  // namespace net

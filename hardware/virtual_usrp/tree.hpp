// SPDX-License-Identifier: GPL-3.0-or-later
// The properties of a board under the names at which UHD's multi_usrp looks for them.
#pragma once

#include "board.hpp"
#include <uhd/property_tree.hpp>

namespace twist {

void grow_board(uhd::property_tree& tree, size_t number, const std::shared_ptr<Board>& board);

} // namespace twist

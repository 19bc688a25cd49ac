// oneTBB's task_group, a new one every 1,000 tasks, in the place of one for all. A group of version 2021.8 has one count that each of its
// tasks writes twice; with many of them who submits and who runs mostly write different ones.
// run, cancel, wait: one thread at a time, within the arena; a wait is for all groups, one after the other, and leaves none.
#pragma once

#include <oneapi/tbb/task_group.h>

#include <cstddef>
#include <deque>
#include <utility>

namespace bench {

class onetbb_groups {
public:
    template <class F>
    void run(F&& f) {
        if (room_ == 0) {
            last_ = &groups_.emplace_back();
            room_ = 1000;
        }
        --room_;
        last_->run(std::forward<F>(f));
    }
    void cancel() {
        for (oneapi::tbb::task_group& g : groups_) g.cancel();
    }
    oneapi::tbb::task_group_status wait() {
        oneapi::tbb::task_group_status all = oneapi::tbb::complete;
        for (oneapi::tbb::task_group& g : groups_) {
            if (g.wait() == oneapi::tbb::canceled) all = oneapi::tbb::canceled;
        }
        groups_.clear();
        room_ = 0;
        return all;
    }

private:
    std::deque<oneapi::tbb::task_group> groups_;
    oneapi::tbb::task_group* last_ = nullptr;
    std::size_t room_ = 0;
};

}   // namespace bench

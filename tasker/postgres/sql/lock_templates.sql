-- Until the transaction ends; reading goes on.
lock table tasker.templates in share row exclusive mode
